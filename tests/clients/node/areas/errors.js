// What is refused, and how.
'use strict';

const { clientOf, mount, refused, root } = require('../vault');

module.exports = {
  'strangers are refused': async () => {
    await mount('errors-kv', '2');
    await refused(clientOf().read('errors-kv/data/a'), 403);
    await refused(clientOf('hvs.not-a-token').read('errors-kv/data/a'), 403, /permission denied/);
  },

  'what is not there is missing': async () => {
    await refused((await root()).read('nowhere/a'), 404);
    await refused((await root()).write('nowhere/a', { b: 'c' }), 404);
  },

  'a secret that is no object is refused': async () => {
    await mount('errors-shape', '2');
    await refused((await root()).write('errors-shape/data/a', { data: 'text' }), 400);
  },
};
