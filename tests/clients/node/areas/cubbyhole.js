// The cubbyhole: each token's own secrets.
'use strict';

const assert = require('node:assert/strict');

const { clientOf, create, refused, root } = require('../vault');

module.exports = {
  'each token has a cubbyhole of its own': async () => {
    const client = await root();
    await client.write('cubbyhole/mine/a', { b: 'c' });
    assert.deepEqual((await client.read('cubbyhole/mine/a')).data, { b: 'c' });
    assert.deepEqual((await client.list('cubbyhole/mine')).data.keys, ['a']);
    const other = clientOf((await create({ policies: ['default'] })).client_token);
    await refused(other.read('cubbyhole/mine/a'), 404);
    await client.delete('cubbyhole/mine/a');
    await refused(client.read('cubbyhole/mine/a'), 404);
  },
};
