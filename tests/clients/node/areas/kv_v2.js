// KV version 2.
'use strict';

const assert = require('node:assert/strict');

const { mount, refused, root } = require('../vault');

async function writeThree(client, path) {
  for (const value of ['one', 'two', 'three']) await client.write(path, { data: { value } });
}

module.exports = {
  'a round trip with check-and-set': async () => {
    const client = await root();
    await mount('kv2-cas', '2');
    const path = 'kv2-cas/data/app/db';
    const first = await client.write(path, { data: { user: 'änna', port: 5432 }, options: { cas: 0 } });
    assert.equal(first.data.version, 1);
    assert.deepEqual((await client.read(path)).data.data, { user: 'änna', port: 5432 });

    await refused(client.write(path, { data: { user: 'berta' }, options: { cas: 0 } }), 400, /check-and-set/);
    const second = await client.write(path, { data: { user: 'berta' }, options: { cas: 1 } });
    assert.equal(second.data.version, 2);
    assert.equal((await client.read(`${path}?version=1`)).data.data.user, 'änna');
  },

  'a secret is patched': async () => {
    const client = await root();
    await mount('kv2-patch', '2');
    await client.write('kv2-patch/data/app', { data: { user: 'berta' } });
    const merged = await client.update('kv2-patch/data/app', { data: { port: 1 }, options: { cas: 1 } });
    assert.equal(merged.data.version, 2);
    assert.deepEqual((await client.read('kv2-patch/data/app')).data.data, { user: 'berta', port: 1 });
  },

  'a listing shows secrets and folders': async () => {
    const client = await root();
    await mount('kv2-list', '2');
    for (const path of ['app/db', 'top']) await client.write(`kv2-list/data/${path}`, { data: { a: 'b' } });
    assert.deepEqual((await client.list('kv2-list/metadata')).data.keys, ['app/', 'top']);
    assert.deepEqual((await client.list('kv2-list/metadata/app')).data.keys, ['db']);
    await refused(client.list('kv2-list/metadata/nothing'), 404);
  },

  'versions are deleted and brought back': async () => {
    const client = await root();
    await mount('kv2-delete', '2');
    await writeThree(client, 'kv2-delete/data/app');
    await client.delete('kv2-delete/data/app');
    await client.write('kv2-delete/delete/app', { versions: [1] });
    await refused(client.read('kv2-delete/data/app'), 404);
    await refused(client.read('kv2-delete/data/app?version=1'), 404);
    await client.write('kv2-delete/undelete/app', { versions: [1, 3] });
    assert.equal((await client.read('kv2-delete/data/app')).data.data.value, 'three');
    assert.equal((await client.read('kv2-delete/data/app?version=1')).data.data.value, 'one');
  },

  'what is destroyed does not come back': async () => {
    const client = await root();
    await mount('kv2-destroy', '2');
    await writeThree(client, 'kv2-destroy/data/app');
    await client.write('kv2-destroy/destroy/app', { versions: [2] });
    await client.write('kv2-destroy/undelete/app', { versions: [2] });
    await refused(client.read('kv2-destroy/data/app?version=2'), 404);
    assert.equal((await client.read('kv2-destroy/metadata/app')).data.versions[2].destroyed, true);
  },

  'metadata is set, read and deleted': async () => {
    const client = await root();
    await mount('kv2-metadata', '2');
    const settings = { max_versions: 2, cas_required: false, custom_metadata: { owner: 'anna' } };
    await client.write('kv2-metadata/metadata/app', settings);
    await writeThree(client, 'kv2-metadata/data/app');
    const { data } = await client.read('kv2-metadata/metadata/app');
    assert.deepEqual([data.max_versions, data.current_version, data.oldest_version], [2, 3, 2]);
    assert.deepEqual(data.custom_metadata, { owner: 'anna' });
    await client.delete('kv2-metadata/metadata/app');
    await refused(client.read('kv2-metadata/metadata/app'), 404);
  },
};
