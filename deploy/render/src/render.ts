import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SERVICES } from '@tps/contracts/fleet';
import * as prettier from 'prettier';
import { FILES } from './files';

const ROOT = resolve(__dirname, '../../..');
const AUTHORIZATION = 'deploy/nats/authorization.conf';

/** Writes the manifest into every file that lists the services; with `--check` it only names what differs. */
async function main(checkOnly: boolean): Promise<void> {
  const findings = handWritten();
  for (const [file, rendering] of Object.entries(FILES)) {
    const path = join(ROOT, file);
    const text = readFileSync(path, 'utf8');
    const wanted = await formatted(path, rendered(file, text, rendering));
    if (wanted === text) continue;
    if (checkOnly) findings.push(`${file} is not what libs/contracts/src/fleet.ts says: run \`make render\``);
    else writeFileSync(path, wanted);
  }
  for (const finding of findings) console.error(finding);
  if (findings.length > 0) process.exitCode = 1;
}

function rendered(file: string, text: string, rendering: (text: string) => string): string {
  try {
    return rendering(text);
  } catch (error) {
    throw new Error(`${file} ${(error as Error).message}`, { cause: error });
  }
}

/** Files that prettier does not know, or is told to ignore, stay as they were rendered. */
async function formatted(path: string, text: string): Promise<string> {
  const { ignored, inferredParser } = await prettier.getFileInfo(path, {
    ignorePath: join(ROOT, '.prettierignore'),
  });
  if (ignored || !inferredParser) return text;
  return prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path });
}

/** The files that a person writes for a new service, besides its row in the manifest. */
function handWritten(): string[] {
  const folders = readdirSync(join(ROOT, 'services'));
  const authorization = readFileSync(join(ROOT, AUTHORIZATION), 'utf8');
  return [
    ...folders
      .filter((folder) => !SERVICES.some((service) => service === folder))
      .map((folder) => `services/${folder} has no row in FLEET (libs/contracts/src/fleet.ts)`),
    ...SERVICES.filter((service) => !existsSync(join(ROOT, 'services', service, 'src/main.ts'))).map(
      (service) => `services/${service}/src/main.ts is missing`,
    ),
    ...SERVICES.filter((service) => !new RegExp(`^ +user: ${service}$`, 'm').test(authorization)).map(
      (service) => `${AUTHORIZATION} has no user ${service}`,
    ),
  ];
}

void main(process.argv.includes('--check'));
