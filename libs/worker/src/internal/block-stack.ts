import { Session } from 'node:inspector';

/** This takes hundreds of milliseconds on a busy machine. */
const LIMIT_MS = 1_500;
const FRAMES = 8;

/** The function that calls handlers. The frames below it are the fleet's. */
const CALLER = 'runAttempt';

interface PausedFrame {
  functionName: string;
  location: { scriptId: string; lineNumber: number };
}
interface Script {
  scriptId: string;
  url: string;
}

/**
 * Reads the stack of the blocked main thread: pauses it for a moment through the inspector and resumes it. Native code (a
 * synchronous system call, a slow regular expression) cannot be paused, and then there is no stack.
 *
 * Must not be used while a debugger is attached, because it would resume the debugger's breakpoint.
 */
export async function stackOfMainThread(): Promise<string[] | undefined> {
  const session = new Session();
  const urls = new Map<string, string>();
  let timer: NodeJS.Timeout | undefined;
  try {
    session.connectToMainThread();
    return await new Promise((resolve) => {
      timer = setTimeout(() => resolve(undefined), LIMIT_MS);
      session.on('Debugger.paused', ({ params }) => {
        session.post('Debugger.resume');
        resolve(inText(params.callFrames, urls));
      });
      session.on('Debugger.scriptParsed', ({ params }) => {
        const { scriptId, url } = params as Script;
        urls.set(scriptId, url.replace(/^file:\/\//, ''));
      });
      session.post('Debugger.enable');
      session.post('Debugger.pause');
    });
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    // Resumes a main thread that was paused after the limit.
    session.disconnect();
  }
}

function inText(frames: readonly PausedFrame[], urls: ReadonlyMap<string, string>): string[] {
  const named = frames.map(({ functionName, location: { scriptId, lineNumber } }) => {
    return {
      functionName: functionName || '(anonymous)',
      file: urls.get(scriptId) ?? '',
      line: lineNumber + 1,
    };
  });
  const caller = named.findIndex(({ functionName }) => functionName === CALLER);
  const users = named.slice(0, caller < 0 ? FRAMES : caller).filter(({ file }) => !file.startsWith('node:'));
  return users.slice(0, FRAMES).map(({ functionName, file, line }) => `${functionName} ${file}:${line}`);
}
