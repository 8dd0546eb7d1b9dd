// Runs the guards against real servers: sees to it that PostgreSQL and Redis are there, then lets tap run the tests, which
// start servers of their own. As root on Debian it installs the packages that are missing, without starting the services
// they bring and without the cluster that PostgreSQL's package would found; anybody else is told which ones are missing.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'))

const packages = [
  { name: 'postgresql', isThere: () => hasPostgres() },
  { name: 'redis-server', isThere: () => isInPath('redis-server') },
]

const missing = missingPackages()
if (missing.length > 0) {
  if (process.getuid?.() === 0 && isInPath('apt-get')) installQuietly(missing)
  const left = missingPackages()
  if (left.length > 0) {
    process.stderr.write(`The guards are tested against real servers. Missing: ${left.join(', ')}.\n`)
    process.stderr.write(`On Debian: apt-get install ${left.join(' ')}\n`)
    process.exit(1)
  }
}

const folder = 'build/test/guards-real'
const tests = readdirSync(folder).filter((name) => name.endsWith('.guards.js'))
const { status } = spawnSync('node_modules/.bin/tap', ['run', ...tests.map((name) => join(folder, name))], {
  stdio: 'inherit',
})
process.exit(status ?? 1)

function missingPackages() {
  return packages.filter(({ isThere }) => !isThere()).map(({ name }) => name)
}

function installQuietly(names) {
  const remove = [
    // What this program answers decides whether a package may start its service; 101 is no. One that is there is kept.
    putUnlessThere('/usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101\n', 0o755),
    putUnlessThere('/etc/postgresql-common/createcluster.d/holdfast.conf', 'create_main_cluster = false\n', 0o644),
  ]
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    // Output goes to stderr so that a script reading our stdout sees only results.
    const apt = (...args) => spawnSync('apt-get', args, { stdio: ['ignore', 2, 2], env }).status === 0
    const install = ['install', '-y', '--no-install-recommends', ...names]
    // Where the lists of packages are missing or old, they are fetched first.
    if (!apt(...install) && apt('update')) apt(...install)
  } finally {
    for (const undo of remove) undo()
  }
}

/** Returns what takes it away again. */
function putUnlessThere(path, text, mode) {
  if (existsSync(path)) return () => {}
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text, { mode })
  return () => rmSync(path, { force: true })
}

/** Debian keeps each version in a folder of its own, outside of the search path. */
function hasPostgres() {
  const root = '/usr/lib/postgresql'
  const folders = existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin')) : []
  return ['initdb', 'postgres'].every((name) => isInPath(name) || folders.some((bin) => isProgram(join(bin, name))))
}

function isInPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((place) => isProgram(join(place, name)))
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
