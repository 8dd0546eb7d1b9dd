// The command line as commander knows it: every command with its flags, examples first in every help. Commands are
// defined where they are implemented; here they are put together.
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addCompletion } from './completion.ts'
import { addElect } from './elect.ts'
import { withExamples } from './flags.ts'
import { addAcquire, addRelease, addRenew } from './leases.ts'
import { addLs, addSessions, addShow } from './lists.ts'
import { addRun } from './run.ts'
import { addServe } from './serve.ts'
import { addStatus } from './status.ts'
import { addTop } from './top.ts'
import { addWatch } from './watch.ts'

export function createProgram(): Command {
  const program = new Command('holdfast')
    .description('Locks that stop you in time: a replicated lock store and its command line.')
    .version(ownVersion())
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({ outputError: () => {} })
    .helpCommand('help [command]', 'shows the help of a command')
  withExamples(
    program,
    'holdfast run nightly-report -- ./report.sh       # runs it while the lock is held, on one machine at a time',
    'holdfast top                                     # what is held, and who waits',
  )
  for (const add of [addRun, addElect, addAcquire, addRenew, addRelease]) add(program)
  for (const add of [addLs, addShow, addSessions, addWatch, addStatus, addTop]) add(program)
  for (const add of [addServe, addCompletion]) add(program)
  return program
}

function ownVersion(): string {
  const { version }: { readonly version: string } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  )
  return version
}
