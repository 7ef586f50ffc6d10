import base from './jest.config.js';

/** Archives that real container tools write: `npm run test:clients`, as root, after scripts/clients/install.sh. Not part of `npm test`. */
const { displayName: _unit, roots: _roots, testRegex: _regex, ...shared } = base.projects[0];

export default {
  projects: [{ ...shared, displayName: 'clients', roots: ['<rootDir>/test/clients'], testRegex: ['\\.test\\.ts$'] }],
  testTimeout: 180_000,
};
