import { registerHooks } from 'node:module';

// Lets Node run the sources as they are: it strips types itself, but an import of `./x.js` means `./x.ts`.
registerHooks({
  resolve(specifier, context, next) {
    const isOurs = specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.endsWith('.ts');
    return next(isOurs ? `${specifier.slice(0, -'.js'.length)}.ts` : specifier, context);
  },
});
