import { StopWaitingError, waitFor, WaitTimeoutError } from './wait';

test('calls the probe until its answer is truthy, also after errors', async () => {
  let asked = 0;
  const answer = await waitFor('the third answer', () => {
    asked += 1;
    if (asked === 1) throw new TypeError('not yet');
    return asked === 3 && 'here';
  });
  expect({ answer, asked }).toEqual({ answer: 'here', asked: 3 });
});

test('the error at the limit names the awaited event and the last answer', async () => {
  const waited = waitFor('nothing', () => Promise.reject(new TypeError('gone')), { limitMs: 50 });
  await expect(waited).rejects.toThrow(new WaitTimeoutError('nothing', 50, 'gone'));
});

test('a StopWaitingError ends the wait at once', async () => {
  let asked = 0;
  const waited = waitFor('the dead', () => {
    asked += 1;
    throw new StopWaitingError('it ended');
  });
  await expect(waited).rejects.toThrow(new StopWaitingError('it ended'));
  expect(asked).toBe(1);
});
