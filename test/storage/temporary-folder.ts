import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** An empty folder that is gone when the test has ended. */
export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
