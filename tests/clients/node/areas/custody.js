// What custodians do on an open vault: new shares are begun and given up, a root token is made, the key is rotated.
'use strict';

const assert = require('node:assert/strict');

const { clientOf, root, vault } = require('../vault');

module.exports = {
  'a rekey is begun and given up': async () => {
    const client = await root();
    const begun = await client.write('sys/rekey/init', { secret_shares: 3, secret_threshold: 2 });
    assert.deepEqual([begun.started, begun.n, begun.t, begun.required], [true, 3, 2, 2]);
    const [key] = (await vault()).answer.keys;
    const given = await client.write('sys/rekey/update', { key, nonce: begun.nonce });
    assert.equal(given.progress, 1);
    await client.delete('sys/rekey/init');
    assert.equal((await client.read('sys/rekey/init')).started, false);
  },
  'custodians make a root token': async () => {
    const client = await root();
    const { otp, nonce } = await client.write('sys/generate-root/attempt', {});
    let answer;
    for (const key of (await vault()).answer.keys.slice(0, 2)) {
      answer = await client.write('sys/generate-root/update', { key, nonce });
    }
    assert.equal(answer.complete, true);
    const sealed = Buffer.from(answer.encoded_token, 'base64');
    const token = Buffer.from(sealed.map((byte, place) => byte ^ otp.charCodeAt(place))).toString();
    const made = clientOf(token);
    assert.deepEqual((await made.tokenLookupSelf()).data.policies, ['root']);
    await made.tokenRevokeSelf();
  },
  'the key is rotated': async () => {
    const client = await root();
    const before = (await client.read('sys/key-status')).data.term;
    await client.write('sys/rotate', {});
    assert.equal((await client.read('sys/key-status')).data.term, before + 1);
  },
};
