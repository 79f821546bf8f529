// Auth methods, logins, leases and renewal.
'use strict';

const assert = require('node:assert/strict');

const { clientOf, create, refused, root } = require('../vault');

module.exports = {
  'auth methods are enabled, tuned, listed and disabled': async () => {
    const client = await root();
    await client.enableAuth({ mount_point: 'people-one', type: 'userpass', description: 'people' });
    await client.write('sys/auth/people-one/tune', { default_lease_ttl: '30m' });
    assert.equal((await client.read('sys/auth/people-one/tune')).data.default_lease_ttl, 1800);
    assert.equal((await client.auths()).data['people-one/'].type, 'userpass');
    await client.disableAuth({ mount_point: 'people-one' });
    assert.equal((await client.auths()).data['people-one/'], undefined);
  },
  'a person logs in by password': async () => {
    const client = await root();
    await client.enableAuth({ mount_point: 'people-two', type: 'userpass' });
    await client.write('auth/people-two/users/anna', { password: 'a long passphrase', token_policies: ['default'] });
    const login = { username: 'anna', mount_point: 'people-two' };
    const { auth } = await clientOf().userpassLogin({ ...login, password: 'a long passphrase' });
    assert.deepEqual([auth.policies, auth.metadata.username], [['default'], 'anna']);
    assert.equal((await clientOf(auth.client_token).tokenLookupSelf()).data.display_name, 'people-two-anna');
    await refused(clientOf().userpassLogin({ ...login, password: 'wrong' }), 400, /invalid username or password/);
  },
  'an application logs in by AppRole with a wrapped secret id, once': async () => {
    const client = await root();
    await client.enableAuth({ mount_point: 'approle', type: 'approle' });
    await client.addApproleRole({ role_name: 'app', secret_id_num_uses: 1, token_policies: 'default' });
    const { role_id } = (await client.getApproleRoleId({ role_name: 'app' })).data;
    const wrapped = await client.request({
      path: '/auth/approle/role/app/secret-id', method: 'POST', headers: { 'X-Vault-Wrap-TTL': '60s' }, json: {},
    });
    const { secret_id } = (await clientOf(wrapped.wrap_info.token).unwrap()).data;
    const { auth } = await clientOf().approleLogin({ role_id, secret_id });
    assert.deepEqual(auth.policies, ['default']);
    await refused(clientOf().approleLogin({ role_id, secret_id }), 400);
  },
  'a token is renewed, and found and ended by its lease': async () => {
    const client = await root();
    const made = await create({ policies: ['default'], ttl: '10m', explicit_max_ttl: '1h' });
    const renewed = await clientOf(made.client_token).tokenRenewSelf({ increment: '20m' });
    assert.equal(renewed.auth.lease_duration, 1200);
    const leases = (await client.list('sys/leases/lookup/auth/token/create')).data.keys;
    assert.ok(leases.length >= 1);
    await client.write('sys/leases/revoke-prefix/auth/token/create', {});
    await refused(clientOf(made.client_token).tokenLookupSelf(), 403);
  },
};
