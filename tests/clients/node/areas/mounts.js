// Mounts of secrets engines.
'use strict';

const assert = require('node:assert/strict');

const { mount, refused, root } = require('../vault');

module.exports = {
  'an engine is enabled, shown and disabled': async () => {
    const client = await root();
    await mount('shown', '2');
    const mounts = await client.mounts();
    assert.equal(mounts['shown/'].options.version, '2');
    assert.equal(mounts.data['shown/'].type, 'kv');
    await client.unmount({ mount_point: 'shown' });
    assert.equal((await client.mounts())['shown/'], undefined);
  },

  'what is disabled is gone': async () => {
    const client = await root();
    await mount('gone', '1');
    await client.write('gone/a', { b: 'c' });
    await client.unmount({ mount_point: 'gone' });
    await refused(client.read('gone/a'), 404);
    await mount('gone', '1');
    await refused(client.read('gone/a'), 404);
  },

  'paths in use and unknown engines are refused': async () => {
    await mount('taken', '1');
    for (const path of ['taken', 'taken/below', 'sys']) await refused(mount(path, '1'), 400);
    await refused((await root()).mount({ mount_point: 'other', type: 'no-such-engine' }), 400);
  },

  'the token method is listed': async () => {
    assert.equal((await (await root()).auths())['token/'].type, 'token');
  },
};
