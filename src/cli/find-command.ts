// Whether there is a command that can be run, before a lock is taken for it. The rules are those of execvp(3): a name with
// a slash is a path, any other is looked for in PATH, where a file that may not be executed is passed over but remembered.
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export type Found = { readonly kind: 'found' } | { readonly kind: 'no_such_command' } | { readonly kind: 'cannot_run' }

const defaultPath = '/usr/local/bin:/usr/bin:/bin'

export function findCommand(name: string, path = process.env['PATH'] ?? defaultPath): Found {
  if (name === '') return { kind: 'no_such_command' }
  // An empty part of PATH is the present folder.
  const candidates = name.includes('/') ? [name] : path.split(delimiter).map((folder) => join(folder || '.', name))
  let found: Found = { kind: 'no_such_command' }
  for (const candidate of candidates) {
    const here = judge(candidate)
    if (here.kind === 'found') return here
    if (here.kind === 'cannot_run') found = here
  }
  return found
}

function judge(candidate: string): Found {
  try {
    if (!statSync(candidate).isFile()) return { kind: 'cannot_run' }
  } catch {
    return { kind: 'no_such_command' }
  }
  try {
    accessSync(candidate, constants.X_OK)
    return { kind: 'found' }
  } catch {
    return { kind: 'cannot_run' }
  }
}
