// What the tests share: one vault, initialised by node-vault itself, and clients of it.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');

const nodeVault = require('node-vault');

const requestOptions = { ca: fs.readFileSync(process.env.VAULT_CACERT) };

function clientOf(token) {
  return nodeVault({ endpoint: process.env.VAULT_ADDR, token, requestOptions });
}

async function initialise() {
  const stranger = clientOf();
  const before = { initialized: await stranger.initialized(), health: await stranger.health() };
  const answer = await stranger.init({ secret_shares: 3, secret_threshold: 2 });
  const sealed = await stranger.status();
  const unsealing = [];
  for (const key of answer.keys.slice(0, 2)) unsealing.push(await stranger.unseal({ key }));
  return { before, answer, sealed, unsealing };
}

let shared;

// Initialises and unseals the vault, once for all tests, and tells what was seen meanwhile.
function vault() {
  shared ??= initialise();
  return shared;
}

// Gives a client with the root token.
async function root() {
  return clientOf((await vault()).answer.root_token);
}

// Mounts a key-value engine.
async function mount(path, version) {
  await (await root()).mount({ mount_point: path, type: 'kv', options: { version } });
}

// Makes a token with the rights of `token`, the root token unless told otherwise, and gives the answer's `auth`.
// node-vault goes on with the token that it made, so each is made by a client of its own.
async function create(options, token) {
  token ??= (await vault()).answer.root_token;
  return (await clientOf(token).tokenCreate(options)).auth;
}

// Gives a client whose token has a policy with these rules.
async function holder(name, rules) {
  await (await root()).addPolicy({ name, rules });
  return clientOf((await create({ policies: [name], ttl: '1h' })).client_token);
}

async function refused(promise, statusCode, message) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.response?.statusCode, statusCode, String(error));
    if (message) assert.match(error.message, message);
    return true;
  });
}

module.exports = { clientOf, create, holder, mount, refused, root, vault };
