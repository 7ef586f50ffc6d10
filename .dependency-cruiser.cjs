/**
 * The direction of imports. The table itself is test/architecture/layer-rule.json, which the architecture test reads
 * too: here it becomes rules over resolved modules, so that a detour through an alias or a package cannot hide.
 */
const { builtinModules } = require('node:module');
const { libs, technologies } = require('./test/architecture/layer-rule.json');

/** Tests may hold real adapters and fixtures against anything. */
const isTest = '\\.spec\\.ts$';

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
const anyOf = (names) => `^(?:${names.join('|')})`;

/** Whatever resolves to none of the allowed places is a violation, so a new package is one until the table names it. */
function onlyAllowed([folder, { libs: allowedLibs, packages, node }]) {
  const allowed = [
    `${folder}/`,
    ...allowedLibs.map((name) => `libs/${name}/`),
    ...packages.map((name) => `node_modules/${escaped(name)}/`),
    ...(node === 'any' ? ['node:'] : node.map((name) => `(?:node:)?${name}$`)),
    ...(node === 'any' ? [`(?:${builtinModules.map(escaped).join('|')})$`] : []),
  ];
  return {
    name: `${folder.replace('/', '-')}-imports-only-what-the-table-allows`,
    severity: 'error',
    from: { path: `^${folder}/`, pathNot: isTest },
    to: { pathNot: anyOf(allowed), couldNotResolve: false },
  };
}

/** One technology stays in one folder. */
function onlyIn([module, folder]) {
  const name = module.replace('node:', '');
  return {
    name: `${name}-only-in-${folder.split('/').at(-1)}`,
    severity: 'error',
    from: { path: '^(?:apps|libs)/', pathNot: [`^${folder}/`, isTest] },
    to: { path: `^(?:(?:node:)?${escaped(name)}$|node_modules/${escaped(name)}/)` },
  };
}

module.exports = {
  forbidden: [
    ...Object.entries(libs).map(onlyAllowed),
    ...Object.entries(technologies).map(onlyIn),
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'nothing-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      // What two adapters need lies beside their folders, free of any technology.
      name: 'adapters-never-import-each-other',
      severity: 'error',
      from: { path: '^libs/adapters/src/([^/]+)/', pathNot: isTest },
      to: { path: '^libs/adapters/src/[^/]+/', pathNot: '^libs/adapters/src/$1/' },
    },
    {
      name: 'product-never-imports-tests',
      severity: 'error',
      from: { path: '^(?:apps|libs)/', pathNot: isTest },
      to: { path: '^test/|\\.(?:spec|test|contract)\\.ts$' },
    },
    {
      name: 'every-folder-is-in-the-table',
      severity: 'error',
      from: { path: '^(?:apps|libs)/', pathNot: [anyOf(Object.keys(libs).map((folder) => `${folder}/`)), isTest] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(?:dist|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      conditionNames: ['source', 'import', 'node', 'default'],
      exportsFields: ['exports'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
