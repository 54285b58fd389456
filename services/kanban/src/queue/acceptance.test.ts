import { Acceptance } from './acceptance';

describe('whether the queue takes signals', () => {
  let now = 0;
  const acceptance = (): Acceptance => new Acceptance(() => now);

  test('it does until an append or a reading fails', () => {
    expect(acceptance().problem).toBeNull();
  });

  test('a failed append counts until one succeeds', () => {
    const queue = acceptance();
    queue.onAppendFailed('no space left');
    queue.onStreamRead();
    expect(queue.problem).toBe('no space left');
    queue.onAppended();
    expect(queue.problem).toBeNull();
  });

  test('a failed append counts for ten seconds if no other follows', () => {
    const queue = acceptance();
    queue.onAppendFailed('no space left');
    now += 9_000;
    expect(queue.problem).toBe('no space left');
    now += 2_000;
    expect(queue.problem).toBeNull();
  });

  test('a missing stream counts until it is found again', () => {
    const queue = acceptance();
    queue.onStreamUnavailable('the stream is missing');
    now += 3_600_000;
    expect(queue.problem).toBe('the stream is missing');
    queue.onStreamRead();
    expect(queue.problem).toBeNull();
  });
});
