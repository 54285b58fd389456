import { headers, pauseAfter, refuse } from './api.js';

/** A board comes every two seconds, so a stream that is silent for this long is dead. */
const SILENCE_MS = 7_000;
const PAUSE_MS = { first: 500, most: 8_000 };

export interface Listener {
  /** The stream is open: it brings every event from now on. */
  onOpen: () => void;
  onEvent: (name: string, data: string) => void;
  /** The stream ended or could not be opened; the next try follows. */
  onLost: (error: unknown) => void;
}

/**
 * Server-sent events over fetch, since EventSource cannot send a token. It reconnects with growing pauses and
 * `Last-Event-ID`, for as long as the page lives.
 */
export async function follow(url: string, listener: Listener): Promise<never> {
  let lastId: string | undefined;
  let pause = PAUSE_MS.first;
  for (;;) {
    let reason: unknown = new Error('The gateway ended the stream.');
    try {
      await listen(url, lastId, {
        onOpen: listener.onOpen,
        onEvent: (id, name, data) => {
          pause = PAUSE_MS.first;
          lastId = id ?? lastId;
          listener.onEvent(name, data);
        },
      });
    } catch (error) {
      reason = error;
    }
    listener.onLost(reason);
    const wait = pauseAfter(reason, pause);
    await new Promise((resume) => setTimeout(resume, wait));
    pause = Math.min(pause * 2, PAUSE_MS.most);
  }
}

type OnEvent = (id: string | undefined, name: string, data: string) => void;

async function listen(
  url: string,
  lastId: string | undefined,
  { onOpen, onEvent }: { onOpen: () => void; onEvent: OnEvent },
): Promise<void> {
  const abort = new AbortController();
  let silence = setTimeout(() => abort.abort(new Error('The gateway is silent.')), SILENCE_MS);
  try {
    const more = { accept: 'text/event-stream', ...(lastId ? { 'last-event-id': lastId } : {}) };
    const answer = await fetch(url, { headers: headers(more), signal: abort.signal, cache: 'no-store' });
    if (!answer.ok || !answer.body) return await refuse(answer);
    onOpen();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(new Error('The gateway is silent.')), SILENCE_MS);
      const blocks = (text + part.value).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) take(block, onEvent);
    }
  } finally {
    clearTimeout(silence);
    abort.abort();
  }
}

function take(block: string, onEvent: OnEvent): void {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name) fields.set(name, value ?? '');
  }
  const data = fields.get('data');
  if (data !== undefined) onEvent(fields.get('id'), fields.get('event') ?? 'message', data);
}
