// Tokens, accessors and roles.
'use strict';

const assert = require('node:assert/strict');

const { clientOf, create, holder, refused, root } = require('../vault');

module.exports = {
  'a token is what was asked for': async () => {
    const made = await create({ policies: ['reader'], ttl: '1h', display_name: 'build', num_uses: 5 });
    assert.deepEqual(made.policies, ['default', 'reader']);
    assert.equal(made.lease_duration, 3600);
    const { data } = await (await root()).tokenLookup({ token: made.client_token });
    assert.deepEqual([data.display_name, data.num_uses, data.orphan], ['token-build', 5, false]);
  },

  'a token looks at itself and is renewed': async () => {
    const made = await create({ policies: ['reader'], ttl: '10m', renewable: true });
    const own = clientOf(made.client_token);
    assert.deepEqual((await own.tokenLookupSelf()).data.policies, ['default', 'reader']);
    assert.equal((await own.tokenRenewSelf({ increment: '30m' })).auth.lease_duration, 1800);
    const renewed = await (await root()).tokenRenew({ token: made.client_token, increment: '40m' });
    assert.equal(renewed.auth.lease_duration, 2400);
  },

  'an accessor names a token without its power': async () => {
    const client = await root();
    const { accessor, client_token } = await create({ policies: ['reader'], ttl: '1h' });
    assert.ok((await client.tokenAccessors()).data.keys.includes(accessor));
    assert.equal((await client.tokenLookupAccessor({ accessor })).data.id, '');
    await client.tokenRevokeAccessor({ accessor });
    await refused(clientOf(client_token).tokenLookupSelf(), 403);
  },

  'children die with their parent and orphans do not': async () => {
    const parent = await holder('maker', 'path "auth/token/create*" { capabilities = ["update", "sudo"] }');
    const child = clientOf((await create({ policies: ['maker'] }, parent.token)).client_token);
    const made = await clientOf(parent.token).tokenCreateOrphan({ policies: ['maker'] });
    const orphan = clientOf(made.auth.client_token);
    await (await root()).tokenRevoke({ token: parent.token });
    await refused(parent.tokenLookupSelf(), 403);
    await refused(child.tokenLookupSelf(), 403);
    assert.equal((await orphan.tokenLookupSelf()).data.orphan, true);
  },

  'a token gives itself up': async () => {
    const own = clientOf((await create({ policies: ['reader'] })).client_token);
    await own.tokenRevokeSelf();
    await refused(own.tokenLookupSelf(), 403);
  },

  'roles shape tokens': async () => {
    const client = await root();
    await client.addTokenRole({ role_name: 'deploy', allowed_policies: 'reader', orphan: true });
    assert.deepEqual((await client.tokenRoles()).data.keys, ['deploy']);
    assert.deepEqual((await client.getTokenRole({ role_name: 'deploy' })).data.allowed_policies, ['reader']);
    const made = await (await root()).tokenCreateRole({ role_name: 'deploy', policies: ['reader'] });
    assert.equal(made.auth.orphan, true);
    await refused((await root()).tokenCreateRole({ role_name: 'deploy', policies: ['other'] }), 400);
    await client.removeTokenRole({ role_name: 'deploy' });
    await refused(client.getTokenRole({ role_name: 'deploy' }), 404);
  },
};
