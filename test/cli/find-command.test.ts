import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findCommand } from '../../src/cli/find-command.ts'
import { temporaryFolder } from './command-line.ts'

const folder = temporaryFolder(t)
const [first, second] = [join(folder, 'first'), join(folder, 'second')]
const path = `${first}:${second}:/does/not/exist`
for (const place of [first, second]) mkdirSync(place)

function file(place: string, name: string, mode: number): void {
  writeFileSync(join(place, name), '#!/bin/sh\n')
  chmodSync(join(place, name), mode)
}

t.test('a name is looked for in PATH, past files that may not be executed and folders', async (t) => {
  file(first, 'both', 0o644)
  file(second, 'both', 0o755)
  t.equal(findCommand('both', path).kind, 'found')
  file(first, 'plain', 0o644)
  t.equal(findCommand('plain', path).kind, 'cannot_run')
  mkdirSync(join(first, 'folder'))
  t.equal(findCommand('folder', path).kind, 'cannot_run')
  t.equal(findCommand('none', path).kind, 'no_such_command')
  t.equal(findCommand('', path).kind, 'no_such_command')
})

t.test('a name with a slash is a path, whatever PATH is', async (t) => {
  t.equal(findCommand(join(second, 'both'), '').kind, 'found')
  t.equal(findCommand(join(first, 'both'), '').kind, 'cannot_run')
  t.equal(findCommand('./both', path).kind, 'no_such_command')
})
