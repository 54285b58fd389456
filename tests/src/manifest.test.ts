import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const RENDER = resolve(__dirname, '../../deploy/render/dist/render.js');

test('every file that lists the services agrees with the manifest of the fleet', () => {
  const { status, stderr } = spawnSync(process.execPath, [RENDER, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
