import { execFile, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { completion, SHELLS } from '../../cli/commands/completion.js'
import { buildProgram } from '../../cli/program.js'
import { temporaryFolder } from '../helpers/server.js'

const program = buildProgram({ context: () => { throw new Error('nothing is run here') }, onExit: () => {}, write: () => {} })
const run = promisify(execFile)

for (const shell of SHELLS) {
  t.test(`${shell} is told every command and every option`, async (t) => {
    const script = completion(program, shell)
    for (const command of program.commands) {
      t.ok(script.includes(command.name()), command.name())
      for (const { long } of command.options) t.ok(script.includes(shell === 'fish' ? `-l ${long?.slice(2) ?? ''}` : long ?? ''), `${command.name()} ${long ?? ''}`)
    }
    if (spawnSync(shell, ['--version']).error !== undefined) return
    const path = join(await temporaryFolder(t), 'completion')
    await writeFile(path, script)
    await run(shell, ['-n', path])
  })
}

t.test('bash completes commands, options and files', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'completion'), completion(program, 'bash'))
  await writeFile(join(folder, 'a file.bin'), '')
  const complete = async (...words: string[]): Promise<string[]> => {
    // eslint-disable-next-line no-template-curly-in-string -- it is bash's
    const script = 'source ./completion; COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _local_send; printf "%s\\n" "${COMPREPLY[@]}"'
    return (await run('bash', ['-c', script, 'bash', 'local-send', ...words], { cwd: folder })).stdout.trimEnd().split('\n')
  }
  t.same(await complete('re'), ['receive'])
  t.same(await complete('send', '--rec'), ['--receivers'])
  t.same(await complete('receive', '--passphrase-file', 'comp'), ['completion'])
  t.same(await complete('completion', 'f'), ['fish'])
  t.same(await complete('send', '--expires', ''), [''])
  t.ok((await complete('send', 'a')).includes('a file.bin'), 'a name with a space is one name')
})
