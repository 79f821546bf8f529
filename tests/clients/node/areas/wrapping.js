// Response wrapping.
'use strict';

const assert = require('node:assert/strict');

const { clientOf, refused, root } = require('../vault');

// Has something wrapped and gives the wrapping token.
async function wrapped(client) {
  const headers = { 'X-Vault-Wrap-TTL': '2m' };
  const answer = await client.request({ path: '/sys/wrapping/wrap', method: 'POST', headers, json: { a: 'b' } });
  return answer.wrap_info.token;
}

module.exports = {
  'a reply is wrapped, looked up and given once': async () => {
    const client = await root();
    const token = await wrapped(client);
    const found = (await clientOf().write('sys/wrapping/lookup', { token })).data;
    assert.deepEqual([found.creation_path, found.creation_ttl], ['sys/wrapping/wrap', 120]);
    assert.deepEqual((await clientOf(token).unwrap()).data, { a: 'b' });
    await refused(clientOf(token).unwrap(), 400, /wrapping token is not valid/);
  },
  'a wrapping token is exchanged for another': async () => {
    const client = await root();
    const token = await wrapped(client);
    const again = (await client.write('sys/wrapping/rewrap', { token })).wrap_info.token;
    await refused(client.write('sys/wrapping/unwrap', { token }), 400);
    assert.deepEqual((await clientOf(again).unwrap()).data, { a: 'b' });
  },
};
