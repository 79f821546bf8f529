// Entities, aliases and groups.
'use strict';

const assert = require('node:assert/strict');

const { clientOf, refused, root } = require('../vault');

module.exports = {
  'an entity is kept, found and forgotten': async () => {
    const client = await root();
    const { id } = (await client.write('identity/entity', { name: 'berta', metadata: { team: 'ops' } })).data;
    const read = (await client.read('identity/entity/name/berta')).data;
    assert.deepEqual([read.id, read.metadata], [id, { team: 'ops' }]);
    assert.equal((await client.write('identity/lookup/entity', { name: 'berta' })).data.id, id);
    assert.ok((await client.list('identity/entity/id')).data.keys.includes(id));
    await client.delete(`identity/entity/id/${id}`);
    await refused(client.read(`identity/entity/id/${id}`), 404);
  },
  'a login is an alias, and a group gives it policies': async () => {
    const client = await root();
    await client.enableAuth({ mount_point: 'staff', type: 'userpass' });
    const { accessor } = (await client.auths()).data['staff/'];
    await client.write('auth/staff/users/carl', { password: 'a long passphrase' });
    const entity = (await client.write('identity/entity', { name: 'carl' })).data.id;
    await client.write('identity/entity-alias', { name: 'carl', canonical_id: entity, mount_accessor: accessor });
    await client.addPolicy({ name: 'staff', rules: 'path "cubbyhole/staff" { capabilities = ["read"] }' });
    const group = { name: 'staff', policies: ['staff'], member_entity_ids: [entity] };
    await client.write('identity/group', group);
    const login = { username: 'carl', password: 'a long passphrase', mount_point: 'staff' };
    const { auth } = await clientOf().userpassLogin(login);
    assert.deepEqual([auth.entity_id, auth.identity_policies], [entity, ['staff']]);
  },
};
