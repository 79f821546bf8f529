// The stock node-vault client against a Keyturn server whose vault is uninitialised when the tests begin: one file
// under `areas` for each area. They run in one process and one after another, since some of them seal the vault.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

for (const file of fs.readdirSync(path.join(__dirname, 'areas')).sort()) {
  const cases = require(`./areas/${file}`);
  test(path.basename(file, '.js'), async (t) => {
    for (const [name, run] of Object.entries(cases)) await t.test(name, run);
  });
}
