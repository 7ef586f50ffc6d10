/** The environment that words may name: `$NAME`, `${NAME}`, `${NAME:-else}`, `${NAME:+then}`. */
export type Environment = ReadonlyMap<string, string>;

/**
 * The words of a Dockerfile instruction as a shell would split them: quotes keep blanks, `\` keeps the next character,
 * variables are replaced, but not between single quotes. A word of nothing but empty quotes is the empty text.
 * @see Dockerfile reference, "Environment replacement"
 */
export function splitWords(text: string, environment: Environment): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (char === quote) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === '\\' && quote !== "'" && at + 1 < text.length) word += escaped(text[++at] as string, quote);
    else if (char === '$' && quote !== "'") {
      const variable = variableAt(text.slice(at));
      word += variable ? valueOf(variable, environment) : char;
      at += variable ? variable.length - 1 : 0;
    } else word += char;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Between double quotes only these are escaped; before anything else the backslash stays. */
function escaped(char: string, quote: string): string {
  return quote === '' || '"$\\'.includes(char) ? char : `\\${char}`;
}

interface Variable {
  readonly length: number;
  readonly name: string;
  readonly operator: string;
  readonly operand: string;
}

function variableAt(text: string): Variable | undefined {
  const match = /^\$(?:(\w+)|\{(\w+)(?:(:[-+])([^}]*))?\})/.exec(text);
  if (!match) return undefined;
  const [{ length }, bare, braced = '', operator = '', operand = ''] = match;
  return { length, name: bare ?? braced, operator, operand };
}

function valueOf({ name, operator, operand }: Variable, environment: Environment): string {
  const value = environment.get(name) ?? '';
  if (operator === ':-') return value === '' ? operand : value;
  if (operator === ':+') return value === '' ? '' : operand;
  return value;
}
