// Transit: node-vault has no functions for it and writes to its paths.
'use strict';

const assert = require('node:assert/strict');

const { refused, root } = require('../vault');

const base64 = (text) => Buffer.from(text).toString('base64');

// Mounts the engine with a key, and gives how to write to it.
async function engine(path) {
  const client = await root();
  await client.mount({ mount_point: path, type: 'transit' });
  await client.write(`${path}/keys/k`, {});
  return async (operation, body) => (await client.write(`${path}/${operation}`, body)).data;
}

module.exports = {
  'what is encrypted is decrypted, and nothing else is': async () => {
    const write = await engine('transit-one');
    const { ciphertext } = await write('encrypt/k', { plaintext: base64('a secret') });
    assert.match(ciphertext, /^vault:v1:/);
    assert.equal((await write('decrypt/k', { ciphertext })).plaintext, base64('a secret'));
    await refused(write('decrypt/k', { ciphertext: `${ciphertext.slice(0, -4)}AAA=` }), 400);
  },
  'a rotated key rewraps, and old versions can be shut out': async () => {
    const write = await engine('transit-two');
    const client = await root();
    const { ciphertext } = await write('encrypt/k', { plaintext: base64('a secret') });
    await client.write('transit-two/keys/k/rotate', {});
    const rewrapped = (await write('rewrap/k', { ciphertext })).ciphertext;
    assert.match(rewrapped, /^vault:v2:/);
    await client.write('transit-two/keys/k/config', { min_decryption_version: 2 });
    assert.equal((await client.read('transit-two/keys/k')).data.min_decryption_version, 2);
    assert.equal((await write('decrypt/k', { ciphertext: rewrapped })).plaintext, base64('a secret'));
    await refused(write('decrypt/k', { ciphertext }), 400);
  },
  'a batch has an outcome for each item': async () => {
    const write = await engine('transit-three');
    const batch_input = ['one', 'two'].map((text) => ({ plaintext: base64(text) }));
    const made = (await write('encrypt/k', { batch_input })).batch_results;
    const opened = (await write('decrypt/k', { batch_input: made })).batch_results;
    assert.deepEqual(opened.map((item) => item.plaintext), [base64('one'), base64('two')]);
  },
  'signatures and keyed hashes are verified': async () => {
    const write = await engine('transit-four');
    await (await root()).write('transit-four/keys/signer', { type: 'ecdsa-p256' });
    const input = base64('a message');
    const { signature } = await write('sign/signer', { input });
    assert.equal((await write('verify/signer', { input, signature })).valid, true);
    assert.equal((await write('verify/signer', { input: base64('another'), signature })).valid, false);
    const { hmac } = await write('hmac/k', { input });
    assert.equal((await write('verify/k', { input, hmac })).valid, true);
  },
  'a data key comes with its wrapped form': async () => {
    const write = await engine('transit-five');
    const made = await write('datakey/plaintext/k', {});
    assert.equal((await write('decrypt/k', { ciphertext: made.ciphertext })).plaintext, made.plaintext);
    assert.equal(Buffer.from(made.plaintext, 'base64').length, 32);
  },
};
