import { NotFoundException } from '@nestjs/common';
import { VarveError } from '#core/error';
import { asVarveError, problemOf } from './problem.js';

const request = { what: 'GET /x', id: 'req-1' };

describe('a problem', () => {
  it('has the code, both sides, and what was perhaps meant', () => {
    const error = new VarveError('REF_UNKNOWN', 'there is no ref "maim"', { ref: 'maim', suggestions: ['main'] });
    expect(problemOf(error, { conditional: false })).toEqual({
      type: 'urn:varve:error:REF_UNKNOWN',
      title: 'There is no such ref',
      status: 404,
      code: 'REF_UNKNOWN',
      detail: 'there is no ref "maim"',
      fields: { ref: 'maim', suggestions: ['main'] },
      suggestions: ['main'],
    });
  });

  it('says when to try again, only where that is of use', () => {
    expect(problemOf(new VarveError('NOT_PROJECTED', 'x'), { conditional: false }).retryAfter).toBe(1);
    expect(problemOf(new VarveError('CORRUPT', 'x'), { conditional: false })).not.toHaveProperty('retryAfter');
  });

  it('is 412 for a ref that moved under a condition, else 409', () => {
    const error = new VarveError('REF_STALE', 'x');
    expect(problemOf(error, { conditional: true }).status).toBe(412);
    expect(problemOf(error, { conditional: false }).status).toBe(409);
  });

  it('keeps what it does not foresee to the log', () => {
    const error = asVarveError(new Error('secret path /etc/x'), request);
    expect(error.code).toBe('INTERNAL');
    expect(error.message).not.toContain('secret');
    expect(error.cause).toBeInstanceOf(Error);
  });

  it('reads the framework’s own refusals by their status', () => {
    expect(asVarveError(new NotFoundException(), request).code).toBe('PATH_UNKNOWN');
    expect(asVarveError(Object.assign(new Error('x'), { statusCode: 413 }), request).code).toBe('LIMIT_EXCEEDED');
    expect(asVarveError(Object.assign(new Error('x'), { statusCode: 415 }), request).code).toBe('REQUEST_INVALID');
  });
});
