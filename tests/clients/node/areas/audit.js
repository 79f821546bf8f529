// Audit devices, quotas and tools.
'use strict';

const assert = require('node:assert/strict');

const { refused, root } = require('../vault');

module.exports = {
  'an audit device is enabled, listed and disabled': async () => {
    const client = await root();
    const options = { file_path: 'node.jsonl' };
    await client.enableAudit({ name: 'node', type: 'file', options });
    assert.equal((await client.audits()).data['node/'].type, 'file');
    const { hash } = (await client.write('sys/audit-hash/node', { input: 'a value' }));
    assert.match(hash, /^hmac-sha256:[0-9a-f]{64}$/);
    await client.disableAudit({ name: 'node' });
    assert.equal((await client.audits()).data['node/'], undefined);
    await refused(client.write('sys/audit-hash/node', { input: 'a value' }), 400);
  },
  'a rate limit is kept and removed': async () => {
    const client = await root();
    await client.write('sys/quotas/rate-limit/node', { path: 'nowhere/', rate: 100 });
    assert.equal((await client.read('sys/quotas/rate-limit/node')).data.rate, 100);
    await client.delete('sys/quotas/rate-limit/node');
    await refused(client.read('sys/quotas/rate-limit/node'), 404);
  },
  'tools hash and draw, and a password policy makes passwords': async () => {
    const client = await root();
    const { sum } = (await client.write('sys/tools/hash/sha2-256', { input: 'YWJj' })).data;
    assert.equal(sum, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    const { random_bytes } = (await client.write('sys/tools/random/16', { format: 'hex' })).data;
    assert.match(random_bytes, /^[0-9a-f]{32}$/);
    const policy = 'length = 24 rule "charset" { charset = "abcdef" }';
    await client.write('sys/policies/password/node', { policy });
    assert.match((await client.read('sys/policies/password/node/generate')).data.password, /^[a-f]{24}$/);
  },
};
