import { Acceptance } from './acceptance';

describe('whether the queue takes signals', () => {
  let now = 0;
  const acceptance = (): Acceptance => new Acceptance(() => now);

  test('it does until something says otherwise', () => {
    expect(acceptance().problem).toBeNull();
  });

  test('a refused append counts until one works', () => {
    const queue = acceptance();
    queue.onAppendFailed('no space left');
    queue.onStreamRead();
    expect(queue.problem).toBe('no space left');
    queue.onAppended();
    expect(queue.problem).toBeNull();
  });

  test('a refused append counts for ten seconds when nobody tries again', () => {
    const queue = acceptance();
    queue.onAppendFailed('no space left');
    now += 9_000;
    expect(queue.problem).toBe('no space left');
    now += 2_000;
    expect(queue.problem).toBeNull();
  });

  test('a missing stream counts until it is found, however long that takes', () => {
    const queue = acceptance();
    queue.onStreamUnavailable('the stream is missing');
    now += 3_600_000;
    expect(queue.problem).toBe('the stream is missing');
    queue.onStreamRead();
    expect(queue.problem).toBeNull();
  });
});
