// Mistakes in what stands on LevelDB. The simulator has disks of its own (test/support), so that tests alone can notice.
import type { Mutant } from './mutant.ts'

const unseen = 'it has disks of its own'

export const storageMutants: readonly Mutant[] = [
  {
    number: 14,
    name: 'a record with a wrong checksum is read',
    breaks: 'B119, B126',
    edits: [
      {
        file: 'src/storage/log-record.ts',
        find: 'if (value.readUInt32BE(0) !== crc32(value.subarray(crcBytes)))',
        put: 'if (false)',
      },
    ],
    unseen,
  },
  {
    number: 15,
    name: 'the name of a new log file of the database is not synced',
    breaks: 'B123',
    edits: [
      {
        file: 'src/storage/level-log-store.ts',
        find: 'await this.#newFiles.sync();',
        put: '',
      },
    ],
    tests: ['storage/level-crash'],
    unseen,
  },
  {
    number: 19,
    name: 'the applied index is written behind the records, in a batch of its own',
    breaks: 'B117',
    edits: [
      {
        file: 'src/storage/level-state-store.ts',
        find: 'chained.put(currentKey, encoded);',
        put: '',
      },
      {
        file: 'src/storage/level-state-store.ts',
        find: 'await this.#writeSynced(chained);\n        this.#current = current;',
        put: `await this.#writeSynced(chained);
        await this.#source.database.put(currentKey, encoded, { sync: true });
        this.#current = current;`,
      },
    ],
    tests: ['storage/crash-points'],
    unseen,
  },
  {
    name: 'a write to the log is confirmed without a sync',
    breaks: 'S3, B127',
    edits: [
      {
        file: 'src/storage/level-log-store.ts',
        find: 'await chained.write({ sync: true });',
        put: 'await chained.write();',
      },
    ],
    tests: ['storage/level-sync'],
    unseen,
  },
  {
    name: "what LevelDB's LOG reports is not read",
    breaks: 'B119',
    edits: [{ file: 'src/storage/recovery-report.ts', find: 'if (line !== undefined)', put: 'if (false)' }],
    unseen,
  },
  {
    name: 'after a failed write the next is tried',
    breaks: 'B120, B121',
    edits: [
      {
        file: 'src/storage/level-log-store.ts',
        find: 'this.#failure = asError(error);\n            process.nextTick(done, this.#failure);',
        put: 'process.nextTick(done, asError(error));',
      },
    ],
    tests: ['storage/level-crash', 'storage/level-log-store'],
    unseen,
  },
  {
    name: 'a small file is renamed before it is synced',
    breaks: 'B123',
    edits: [{ file: 'src/storage/durable-file.ts', find: 'await file.sync();', put: '' }],
    unseen,
  },
  {
    name: 'the chain of the log is not verified',
    breaks: 'B119',
    edits: [{ file: 'src/storage/read-log.ts', find: 'if (chainBefore !== before.chain)', put: 'if (false)' }],
    tests: ['storage/verify-log'],
    unseen,
  },
  {
    name: 'the checkpoint of another log is loaded',
    breaks: 'B117, H30',
    edits: [
      {
        file: 'src/storage/identity.ts',
        find: 'if (checkpoint.chain === chain)',
        put: 'if (checkpoint.chain !== null)',
      },
    ],
    tests: ['storage/judge-state'],
  },
]
