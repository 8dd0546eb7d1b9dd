// Five schedulers, one job: it runs once, however many of them there are and however their clocks differ.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProgram } from '../processes.js'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-example-'))
const report = join(folder, 'reports.txt')
try {
  const schedulers = [0, 0, 150, 400, 1000].map((lateMs, number) =>
    startProgram(import.meta.dirname, 'scheduler.js', `host-${number + 1}`, String(lateMs), report),
  )
  await Promise.all(schedulers.map(({ ended }) => ended))
  const lines = readFileSync(report, 'utf8').trim().split('\n')
  assert.equal(lines.length, 1)
  assert.equal(schedulers.filter(({ said }) => said.some(({ skipped }) => skipped !== undefined)).length, 4)
  console.log(`the job ran once: ${lines[0]}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
