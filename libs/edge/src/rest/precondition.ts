/** The conditions of a request, as headers give them. @see RFC 9110 section 13 */
export interface Conditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly range?: string | undefined;
}

/**
 * What a reading request gets, by its conditions alone: `go` answers, `not-modified` the client has it, `failed` it
 * wanted another one. All our ETags are strong and every answer has one.
 */
export function judgeConditions(conditions: Conditions, etag: string): 'go' | 'not-modified' | 'failed' {
  if (conditions.ifMatch !== undefined) return lists(conditions.ifMatch, etag, 'strong') ? 'go' : 'failed';
  if (conditions.ifNoneMatch !== undefined && lists(conditions.ifNoneMatch, etag, 'weak')) return 'not-modified';
  return 'go';
}

/** The `Range` that counts: none when `If-Range` names another state of the bytes. Dates never match, we have none. */
export function rangeInForce(conditions: Conditions, etag: string): string | undefined {
  if (conditions.ifRange !== undefined && conditions.ifRange.trim() !== etag) return undefined;
  return conditions.range;
}

/** Whether the list names the tag. A weak comparison forgets the `W/`, a strong one refuses it. */
function lists(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (comparison === 'weak' && tag === `W/${etag}`));
}
