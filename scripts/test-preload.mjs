// Loaded into every process of the tests (NODE_OPTIONS=--import): records which blocks of build/src ran, and leaves them
// in HOLDFAST_COVERAGE when the process ends. NODE_V8_COVERAGE would do the same for all modules that Node.js has loaded,
// three megabytes for each of a thousand processes; and it records nodes that are to be killed in any case.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'

// tap would trace the modules of every process, also of those that the tests start, for a feature that is not used here. It
// doubles what the start of a node costs. This is its switch, and it is read once, after this module has run.
process.env.__TAPJS_PROCESSINFO_TESTING_NO_REGISTER__ = String(process.pid)

const folder = process.env.HOLDFAST_COVERAGE
// A busy loop takes half as long again when it is recorded; these play thousands of runs of what single stories run, too.
const isLong = /sim.(seeds|properties.\w+)\.test\.js$/.test(process.argv[1] ?? '')
if (folder !== undefined && isMainThread && !isLong) {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: false, detailed: true })
  process.on('exit', () => {
    session.post('Profiler.takePreciseCoverage', (error, coverage) => {
      if (error !== null) throw error
      const result = coverage.result.filter(({ url }) => /^file:.*\/build\/src\//.test(url))
      if (result.length === 0) return
      // Random rather than the pid, which may come again.
      writeFileSync(join(folder, `coverage-${randomBytes(8).toString('hex')}.json`), JSON.stringify({ result }))
    })
  })
}
