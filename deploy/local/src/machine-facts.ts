import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Target, natsTarget, rabbitIsOff, rabbitTarget } from './brokers';
import type { MachineFacts } from './plan';
import { type Check, probe } from './probe';
import type { Settings } from './settings';

/** The folders of servers, often not on the PATH of an ordinary user. */
const SERVER_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/opt/homebrew/sbin',
];

/** Searched first, because the script in /usr/sbin changes to a user who may not write to our data. */
const RABBIT_FOLDERS = ['/usr/lib/rabbitmq/bin'];

const ANSWER_LIMIT_MS = 1_000;

/** Collects the facts about this machine that the plan needs. */
export async function readMachineFacts(settings: Settings): Promise<MachineFacts> {
  const path = [...(settings.env['PATH'] ?? '').split(delimiter), ...SERVER_FOLDERS];
  const natsServer = findProgram('nats-server', [...path, join(settings.paths.tools, 'nats-server')]);
  const fetched = join(settings.paths.tools, 'rabbitmq', 'usr', 'lib');
  const rabbitFolders = [...RABBIT_FOLDERS, ...path, join(fetched, 'rabbitmq', 'bin')];
  const rabbitServer = findProgram('rabbitmq-server', rabbitFolders);
  const epmd = findProgram('epmd', [...path, join(fetched, 'erlang', 'bin')]);
  const [natsAnswers, rabbitAnswers] = await Promise.all([
    answers(natsTarget(settings.env), 'nats'),
    rabbitIsOff(settings.env) ? false : answers(rabbitTarget(settings.env), 'amqp'),
  ]);
  return {
    ...(natsServer !== undefined && { natsServer }),
    ...(rabbitServer !== undefined && { rabbitServer }),
    ...(epmd !== undefined && { epmd }),
    natsAnswers,
    rabbitAnswers,
  };
}

async function answers({ host, port, local }: Target, say: 'nats' | 'amqp'): Promise<boolean> {
  const check: Check = { kind: 'greeting', host, port, say };
  return local && (await probe(check, ANSWER_LIMIT_MS)).ok;
}

function findProgram(name: string, folders: readonly string[]): string | undefined {
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
