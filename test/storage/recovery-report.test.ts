// LevelDB's text file LOG: which lines are damage, and whose lines they are.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkAfterOpening, checkBeforeOpening } from '../../src/storage/recovery-report.ts'
import { temporaryFolder } from './temporary-folder.ts'

const recovered = '2026/11/23-17:00:00.000000 7f3711 Recovering log #3\n'
const earlier = '2026/11/22-09:00:00.000000 7f3711 Recovering log #1\n'
const dropped =
  '2026/11/23-17:00:00.000001 7f3711 (ignoring error) /log/000003.log: dropping 1287 bytes; Corruption: checksum mismatch\n'
/** A log file that could not be opened is skipped as a whole. */
const skipped = '2026/11/23-17:00:00.000001 7f3711 Ignoring error IO error: /log/000003.log: Permission denied\n'

function folderWith(t: Test, files: Record<string, string>): string {
  const folder = join(temporaryFolder(t), 'log')
  mkdirSync(folder)
  const database = { CURRENT: '', 'MANIFEST-000002': '', '000003.log': '' }
  for (const [name, text] of Object.entries({ ...database, ...files })) writeFileSync(join(folder, name), text)
  return folder
}

t.test('a report of a recovery without losses is none', async (t) => {
  const folder = folderWith(t, { LOG: recovered, 'LOG.old': earlier })
  t.equal(await checkBeforeOpening(folder), recovered)
  await checkAfterOpening(folder, earlier)
})

t.test('a line that tells of something dropped is damage, before and after opening, in both files', async (t) => {
  for (const line of [dropped, skipped]) {
    for (const files of [
      { LOG: recovered + line, 'LOG.old': earlier },
      { LOG: recovered, 'LOG.old': earlier + line },
    ]) {
      const folder = folderWith(t, files)
      const expected = {
        name: 'DamagedError',
        message: /recovery reported: 2026.*(dropping 1287 bytes|Permission denied)/,
      }
      await t.rejects(checkBeforeOpening(folder), expected)
      await t.rejects(checkAfterOpening(folder, ''), expected)
    }
  }
})

t.test('the report of this opening may have been moved by a process that was locked out', async (t) => {
  await checkAfterOpening(folderWith(t, { LOG: '', 'LOG.old': recovered }), earlier)
  t.pass('its lines are in LOG.old')
})

t.test('without the report of this opening nobody knows what was dropped, and the start is refused', async (t) => {
  for (const files of [{ LOG: '', 'LOG.old': '' }, {}, { LOG: '', 'LOG.old': earlier }, { 'LOG.old': earlier }]) {
    await t.rejects(checkAfterOpening(folderWith(t, files), earlier), {
      name: 'LockedError',
      message: /recovery is missing/,
    })
  }
})
