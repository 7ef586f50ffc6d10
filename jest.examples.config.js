import base from './jest.config.js';

/** Clients in other languages: `npm run test:examples`; needs Python with venv and PyPI. Not part of `npm test`. */
const { displayName: _unit, roots: _roots, testRegex: _regex, ...shared } = base.projects[0];

export default {
  projects: [{ ...shared, displayName: 'examples', roots: ['<rootDir>/test/examples'], testRegex: ['\\.test\\.ts$'] }],
  testTimeout: 300_000,
};
