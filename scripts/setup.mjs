// Brings a fresh clone to the point where `tsc` and `tap` run: installs when the lock file is newer than what is
// installed, and with --tap lets tap generate its plugin bundle once (its first run without it fails).
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const installedMark = 'node_modules/.holdfast-installed'
const tapMark = 'node_modules/.holdfast-tap-built'

// Hashes rather than file times: a fresh clone gives every file the time of the checkout.
const wanted = createHash('sha256')
  .update(readFileSync('package-lock.json'))
  .update(existsSync('.taprc') ? readFileSync('.taprc') : '')
  .digest('hex')

if (!isDone(installedMark)) {
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(installedMark, wanted)
}
removeStaleOutput('build')
if (process.argv.includes('--tap') && !isDone(tapMark)) {
  run('node_modules/.bin/tap', ['build'])
  writeFileSync(tapMark, wanted)
}

function isDone(mark) {
  return existsSync(mark) && readFileSync(mark, 'utf8') === wanted
}

function run(command, args) {
  // Output goes to stderr so that a script reading our stdout sees only its own results.
  const { status } = spawnSync(command, args, { stdio: ['ignore', 2, 2] })
  if (status !== 0) process.exit(status ?? 1)
}

/** Deletes compiled files whose source is gone, so that no test of a deleted file is run; the rest stays in place. */
function removeStaleOutput(folder) {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) removeStaleOutput(path)
    else if (!existsSync(path.slice('build/'.length).replace(/(\.d\.ts|\.js\.map|\.js)$/, '.ts'))) rmSync(path)
  }
}
