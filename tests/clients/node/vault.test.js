// The stock node-vault client against a Keyturn server whose vault is uninitialised when the tests begin.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const test = require('node:test');

const nodeVault = require('node-vault');

const requestOptions = { ca: fs.readFileSync(process.env.VAULT_CACERT) };

function clientOf(token) {
  return nodeVault({ endpoint: process.env.VAULT_ADDR, token, requestOptions });
}

async function refused(promise, statusCode, message) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.response?.statusCode, statusCode, String(error));
    if (message) assert.match(error.message, message);
    return true;
  });
}

// The parts run one after another: each builds on the vault as the one before left it.
test('node-vault works unchanged', async (t) => {
  const client = clientOf();
  let keys;

  await t.test('init', async () => {
    assert.equal((await client.initialized()).initialized, false);
    assert.equal((await client.health()).initialized, false);
    const answer = await client.init({ secret_shares: 3, secret_threshold: 2 });
    assert.equal(answer.keys.length, 3);
    keys = answer.keys;
    client.token = answer.root_token;
    assert.equal((await client.initialized()).initialized, true);
    await refused(client.init({ secret_shares: 1, secret_threshold: 1 }), 400);
  });

  await t.test('unseal', async () => {
    assert.equal((await client.status()).sealed, true);
    await refused(client.mounts(), 503);
    assert.equal((await client.unseal({ key: keys[0] })).progress, 1);
    assert.equal((await client.unseal({ reset: true })).progress, 0);
    await client.unseal({ key: keys[2] });
    assert.equal((await client.unseal({ key: keys[1] })).sealed, false);
    assert.equal((await client.health()).sealed, false);
  });

  await t.test('mounts', async () => {
    await client.mount({ mount_point: 'secret', type: 'kv', options: { version: '2' } });
    await client.mount({ mount_point: 'plain', type: 'kv', options: { version: '1' } });
    const mounts = await client.mounts();
    assert.equal(mounts['secret/'].options.version, '2');
    assert.equal(mounts.data['plain/'].type, 'kv');
    await client.unmount({ mount_point: 'plain' });
    assert.equal((await client.mounts())['plain/'], undefined);
    await refused(client.mount({ mount_point: 'secret', type: 'kv' }), 400);
  });

  await t.test('KV version 2 round trip with check-and-set', async () => {
    const first = await client.write('secret/data/app/db', { data: { user: 'änna', port: 5432 }, options: { cas: 0 } });
    assert.equal(first.data.version, 1);
    assert.deepEqual((await client.read('secret/data/app/db')).data.data, { user: 'änna', port: 5432 });

    const stale = client.write('secret/data/app/db', { data: { user: 'berta' }, options: { cas: 0 } });
    await refused(stale, 400, /check-and-set/);
    const second = await client.write('secret/data/app/db', { data: { user: 'berta' }, options: { cas: 1 } });
    assert.equal(second.data.version, 2);
    assert.equal((await client.read('secret/data/app/db?version=1')).data.data.user, 'änna');

    const merged = await client.update('secret/data/app/db', { data: { port: 1 }, options: { cas: 2 } });
    assert.equal(merged.data.version, 3);
    assert.deepEqual((await client.read('secret/data/app/db')).data.data, { user: 'berta', port: 1 });
  });

  await t.test('list, delete, undelete', async () => {
    await client.write('secret/data/top', { data: { a: 'b' } });
    assert.deepEqual((await client.list('secret/metadata')).data.keys, ['app/', 'top']);
    assert.deepEqual((await client.list('secret/metadata/app')).data.keys, ['db']);
    await client.delete('secret/data/top');
    await refused(client.read('secret/data/top'), 404);
    await client.write('secret/undelete/top', { versions: [1] });
    assert.equal((await client.read('secret/data/top')).data.data.a, 'b');
    await refused(client.list('secret/metadata/nothing'), 404);
  });

  await t.test('policies and tokens', async () => {
    const rules = 'path "secret/data/app/*" { capabilities = ["read"] }';
    await client.addPolicy({ name: 'reader', rules });
    assert.ok((await client.policies()).policies.includes('reader'));
    assert.equal((await client.getPolicy({ name: 'reader' })).rules, rules);

    const root = client.token;
    const made = await clientOf(root).tokenCreate({ policies: ['reader'], ttl: '1h', renewable: true });
    const reader = clientOf(made.auth.client_token);
    assert.equal((await reader.read('secret/data/app/db')).data.data.user, 'berta');
    await refused(reader.read('secret/data/top'), 403, /permission denied/);
    await refused(reader.write('secret/data/app/db', { data: {} }), 403);
    assert.deepEqual((await reader.tokenLookupSelf()).data.policies, ['default', 'reader']);
    assert.equal((await reader.tokenRenewSelf({ increment: '30m' })).auth.lease_duration, 1800);
    assert.ok((await client.tokenAccessors()).data.keys.includes(made.auth.accessor));
    await client.tokenRevoke({ token: made.auth.client_token });
    await refused(reader.tokenLookupSelf(), 403);
  });

  await t.test('errors', async () => {
    await refused(clientOf().read('secret/data/app/db'), 403);
    await refused(clientOf('hvs.not-a-token').read('secret/data/app/db'), 403);
    await refused(client.read('secret/data/nothing'), 404);
    await refused(client.write('secret/data/app/db', { data: 'not an object' }), 400);
  });

  await t.test('seal', async () => {
    await client.seal();
    assert.equal((await client.status()).sealed, true);
    await refused(client.read('secret/data/app/db'), 503);
    await client.unseal({ key: keys[0] });
    await client.unseal({ key: keys[1] });
    assert.equal((await client.read('secret/data/app/db')).data.data.user, 'berta');
  });
});
