// Init, unseal, seal and health.
'use strict';

const assert = require('node:assert/strict');

const { clientOf, refused, root, vault } = require('../vault');

module.exports = {
  'init hands out shares and a root token': async () => {
    const { before, answer } = await vault();
    assert.equal(before.initialized.initialized, false);
    assert.equal(before.health.initialized, false);
    assert.equal(answer.keys.length, 3);
    assert.equal((await clientOf().initialized()).initialized, true);
    await refused(clientOf().init({ secret_shares: 1, secret_threshold: 1 }), 400);
  },

  'unsealing shows its progress': async () => {
    const { sealed, unsealing } = await vault();
    assert.equal(sealed.sealed, true);
    assert.deepEqual([sealed.t, sealed.n], [2, 3]);
    assert.deepEqual([unsealing[0].sealed, unsealing[0].progress], [true, 1]);
    assert.equal(unsealing[1].sealed, false);
  },

  'the health of an open vault': async () => {
    await vault();
    const health = await clientOf().health();
    assert.deepEqual([health.initialized, health.sealed, health.standby], [true, false, false]);
  },

  'a sealed vault serves nothing until enough shares come': async () => {
    const { keys } = (await vault()).answer;
    const client = await root();
    await client.seal();
    assert.equal((await clientOf().status()).sealed, true);
    await refused(client.mounts(), 503);
    assert.equal((await clientOf().unseal({ key: keys[0] })).progress, 1);
    assert.equal((await clientOf().unseal({ reset: true })).progress, 0);
    await clientOf().unseal({ key: keys[2] });
    assert.equal((await clientOf().unseal({ key: keys[1] })).sealed, false);
    assert.equal((await clientOf().health()).sealed, false);
    await client.mounts();
  },
};
