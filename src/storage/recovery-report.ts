// LevelDB's text file `LOG` as a trip-wire. Recovery skips what it cannot read and goes on, so that synced batches can be
// missing from a database that opens without an error; that it dropped something is said in `LOG` and nowhere else.
//
// `LOG` begins anew with every attempt to open, also with one that fails because another process has the lock; the one
// before becomes `LOG.old`, and the one before that is lost. Therefore both are read before an attempt, too: a node that
// stopped as damaged must be damaged when it is started again, although the second recovery has nothing left to drop.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { damaged, LockedError } from './damage.ts'

const droppedSomething = /Corruption|dropping|ignoring error/i
const recoveredSomething = /Recovering log #/

/**
 * To be called before every attempt to open: throws when the folder is no database any more, or was found damaged before.
 * Returns the report of the last opening.
 */
export async function checkBeforeOpening(folder: string): Promise<string> {
  const names = await readdir(folder)
  // An intact database has at least one file of each: recovery starts a new one before it drops the old.
  for (const [name, isThere] of [
    ['CURRENT', names.includes('CURRENT')],
    ['MANIFEST', names.some((name) => name.startsWith('MANIFEST-'))],
    ['.log', names.some((name) => name.endsWith('.log'))],
  ] as const) {
    if (!isThere) throw damaged(folder, `the database's ${name} file is missing`)
  }
  const last = await readReport(folder, 'LOG')
  checkLines(folder, last)
  checkLines(folder, await readReport(folder, 'LOG.old'))
  return last
}

/** To be called once the database is open: judges what its recovery reported. `last` is what checkBeforeOpening returned. */
export async function checkAfterOpening(folder: string, last: string): Promise<void> {
  const newest = await readReport(folder, 'LOG')
  const older = await readReport(folder, 'LOG.old')
  checkLines(folder, newest)
  checkLines(folder, older)
  // Ours has a line for each log file recovered. If the newest report has none, another process tried to open meanwhile,
  // was locked out and has moved ours to LOG.old; unless that is still the one from before.
  if (recoveredSomething.test(newest) || (older !== last && recoveredSomething.test(older))) return
  throw new LockedError(
    `${folder}: the report of the database's recovery is missing. Either other processes try to open this folder at the ` +
      'same time or its file LOG cannot be written; see to it that neither is so and start again',
  )
}

function checkLines(folder: string, report: string): void {
  const line = report.split('\n').find((line) => droppedSomething.test(line))
  if (line !== undefined) throw damaged(folder, `the database's recovery reported: ${line.trim()}`)
}

async function readReport(folder: string, name: string): Promise<string> {
  try {
    return await readFile(join(folder, name), 'latin1')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
