// KV version 1.
'use strict';

const assert = require('node:assert/strict');

const { mount, refused, root } = require('../vault');

module.exports = {
  'a secret is written, read, replaced and deleted': async () => {
    const client = await root();
    await mount('kv1-round', '1');
    await client.write('kv1-round/app/db', { user: 'änna', port: 5432 });
    assert.deepEqual((await client.read('kv1-round/app/db')).data, { user: 'änna', port: 5432 });
    await client.write('kv1-round/app/db', { user: 'berta' });
    assert.deepEqual((await client.read('kv1-round/app/db')).data, { user: 'berta' });
    await client.delete('kv1-round/app/db');
    await refused(client.read('kv1-round/app/db'), 404);
  },

  'a listing shows secrets and folders': async () => {
    const client = await root();
    await mount('kv1-list', '1');
    for (const path of ['one', 'two', 'folder/three']) await client.write(`kv1-list/${path}`, { a: 'b' });
    assert.deepEqual((await client.list('kv1-list')).data.keys, ['folder/', 'one', 'two']);
    assert.deepEqual((await client.list('kv1-list/folder')).data.keys, ['three']);
    await refused(client.list('kv1-list/nothing'), 404);
  },
};
