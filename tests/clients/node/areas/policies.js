// Policies.
'use strict';

const assert = require('node:assert/strict');

const { holder, mount, refused, root } = require('../vault');

const rules = 'path "policy-kv/mine/*" { capabilities = ["create", "read"] }';

module.exports = {
  'a policy is written, read, listed and deleted': async () => {
    const client = await root();
    await client.addPolicy({ name: 'team', rules });
    assert.equal((await client.getPolicy({ name: 'team' })).rules, rules);
    const { policies } = await client.policies();
    for (const name of ['default', 'root', 'team']) assert.ok(policies.includes(name), name);
    await client.removePolicy({ name: 'team' });
    await refused(client.getPolicy({ name: 'team' }), 404);
  },

  'a policy that does not parse is refused': async () => {
    const broken = { name: 'broken', rules: 'path "x" { capabilities = ["fly"] }' };
    await refused((await root()).addPolicy(broken), 400);
    await refused((await root()).getPolicy({ name: 'broken' }), 404);
  },

  'a token does what its policies allow and no more': async () => {
    await mount('policy-kv', '1');
    const narrow = await holder('narrow', rules);
    await narrow.write('policy-kv/mine/a', { b: 'c' });
    assert.deepEqual((await narrow.read('policy-kv/mine/a')).data, { b: 'c' });
    await refused(narrow.write('policy-kv/mine/a', { b: 'd' }), 403, /permission denied/);
    await refused(narrow.write('policy-kv/other/a', { b: 'd' }), 403);
    await refused(narrow.read('policy-kv/other/a'), 403);
    await refused(narrow.list('policy-kv/mine'), 403);
    await refused(narrow.delete('policy-kv/mine/a'), 403);
    await refused(narrow.policies(), 403);
  },
};
