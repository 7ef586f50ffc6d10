import { type Digest, isDigest } from './digest.js';
import { type ErrorCode, isVarveError, VarveError } from './error.js';
import { limit } from './limit.js';

/** A JSON document that is being read, for messages: its name, and the code of its faults. */
interface Document {
  readonly name: string;
  readonly code: ErrorCode;
}

/**
 * One value inside a JSON document, and where it stands there. Every reading checks the shape; a fault names the
 * document, the place and what was found: `manifest sha256:ab12…: layers[2].size is "7", expected a size in bytes`.
 * Absent and null are one thing, as Go's writers treat them.
 */
export class JsonPlace {
  readonly #value: unknown;
  readonly #path: string;
  readonly #document: Document;

  private constructor(value: unknown, path: string, document: Document) {
    this.#value = value;
    this.#path = path;
    this.#document = document;
  }

  /** @throws `code`, when the bytes are not JSON in UTF-8; LIMIT_EXCEEDED, when they are nested too deep */
  static parse(bytes: Uint8Array, name: string, code: ErrorCode): JsonPlace {
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      checkDepth(text, name);
      return new JsonPlace(JSON.parse(text), '', { name, code });
    } catch (cause) {
      if (isVarveError(cause)) throw cause;
      throw new VarveError(code, `${name} is not JSON in UTF-8`, { document: name }, { cause });
    }
  }

  get exists(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  /** The member of an object; of nothing, nothing. */
  get(key: string): JsonPlace {
    const place = this.#path === '' ? key : `${this.#path}.${key}`;
    if (!this.exists) return new JsonPlace(undefined, place, this.#document);
    if (!isObject(this.#value)) throw this.fault('an object');
    return new JsonPlace(Object.hasOwn(this.#value, key) ? this.#value[key] : undefined, place, this.#document);
  }

  /** The members of an object by key, none of nothing. */
  members(): readonly (readonly [string, JsonPlace])[] {
    if (!this.exists) return [];
    if (!isObject(this.#value)) throw this.fault('an object');
    return Object.keys(this.#value).map((key) => [key, this.get(key)]);
  }

  /** The items of an array, none of nothing. */
  items(itemsMax: number): readonly JsonPlace[] {
    if (!this.exists) return [];
    if (!Array.isArray(this.#value)) throw this.fault('an array');
    if (this.#value.length > itemsMax) {
      throw new VarveError(
        'LIMIT_EXCEEDED',
        `${this.#document.name}: ${this.#path || 'the array'} has ${this.#value.length} items, the limit is ${itemsMax}`,
        { document: this.#document.name, place: this.#path, items: this.#value.length, limit: itemsMax },
      );
    }
    return this.#value.map((item, i) => new JsonPlace(item, `${this.#path}[${i}]`, this.#document));
  }

  isArray(): boolean {
    return Array.isArray(this.#value);
  }

  isText(): boolean {
    return typeof this.#value === 'string';
  }

  text(): string {
    if (typeof this.#value !== 'string') throw this.fault('text');
    return this.#value;
  }

  /** The text, or `absent` when there is none. */
  textOr<T>(absent: T): string | T {
    return this.exists ? this.text() : absent;
  }

  flag(): boolean {
    if (!this.exists) return false;
    if (typeof this.#value !== 'boolean') throw this.fault('true or false');
    return this.#value;
  }

  size(): number {
    if (!Number.isSafeInteger(this.#value) || (this.#value as number) < 0) throw this.fault('a size in bytes');
    return this.#value as number;
  }

  digest(): Digest {
    const text = this.text();
    if (!isDigest(text)) throw this.fault('sha256: and 64 lower-case hex digits');
    return text;
  }

  /** The error to throw when the value is not `expected`. */
  fault(expected: string): VarveError {
    const { name, code } = this.#document;
    const found = this.exists ? `is ${excerpt(this.#value)}` : 'is missing';
    const place = this.#path === '' ? 'the document' : this.#path;
    return new VarveError(code, `${name}: ${place} ${found}, expected ${expected}`, {
      document: name,
      place: this.#path,
      expected,
    });
  }
}

/** `JSON.parse` takes any depth; `JSON.stringify`, and much else that walks a value, ends with its stack. */
function checkDepth(text: string, name: string): void {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (inText && char === backslash) at++;
    else if (char === quote) inText = !inText;
    else if (inText) continue;
    else if (char === openBracket || char === openBrace) depth++;
    else if (char === closeBracket || char === closeBrace) depth--;
    if (depth > limit.documentDepthMax) {
      const message = `${name} is nested more than ${limit.documentDepthMax} levels deep, at character ${at}`;
      throw new VarveError('LIMIT_EXCEEDED', message, { document: name, limit: limit.documentDepthMax });
    }
  }
}

const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function excerpt(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
