// Where Debian puts the servers' programs. scripts/guards.mjs has seen to it that they are there.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Debian keeps each version of PostgreSQL in a folder of its own, outside of the search path: the newest one's programs. */
export function postgresProgram(name: string): string {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root)
    ? readdirSync(root)
        .map(Number)
        .toSorted((one, other) => other - one)
    : []
  const found = versions.map((version) => join(root, String(version), 'bin', name)).find((path) => existsSync(path))
  return found ?? name
}

export const redisProgram = 'redis-server'

/** PostgreSQL does not run as root; its package brings a user for it. */
export function postgresUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
