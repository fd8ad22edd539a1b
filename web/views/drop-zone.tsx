import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { Source } from '../../client/source.js'
import { sourcesOfFiles, sourcesOfTransfer } from '../input/sources.js'
import { strings } from '../strings/index.js'
import { DropIcon } from './icons.js'

/** Takes files and folders: dropped anywhere on the page, chosen, or pasted. */
export function DropZone ({ onSources }: { readonly onSources: (sources: readonly Source[]) => void }) {
  const over = useSignal(false)
  const empty = useSignal(false)
  const { home } = strings.value

  const take = (sources: readonly Source[]): void => {
    empty.value = sources.length === 0
    if (sources.length > 0) onSources(sources)
  }
  const takeTransfer = (transfer: DataTransfer): void => { void sourcesOfTransfer(transfer).then(take, () => { empty.value = true }) }
  useDrops({ onOver: (is) => { over.value = is }, onTransfer: takeTransfer })

  return (
    <div class={over.value ? 'drop-zone over' : 'drop-zone'}>
      <DropIcon />
      <p class='drop-words'>{over.value ? home.dropNow : home.drop}</p>
      <div class='buttons'>
        <FileButton primary label={home.chooseFiles} onFiles={(files) => { take(sourcesOfFiles(files)) }} />
        <FileButton folder label={home.chooseFolder} onFiles={(files) => { take(sourcesOfFiles(files)) }} />
      </div>
      {empty.value && <p class='hint' role='alert'>{home.nothingDropped}</p>}
    </div>
  )
}

interface FileButtonProps {
  readonly label: string
  readonly onFiles: (files: readonly File[]) => void
  readonly folder?: boolean
  readonly primary?: boolean
}

/** A button in front of a file input: that alone cannot be given a face. */
function FileButton ({ label, onFiles, folder = false, primary = false }: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => { if (input.current !== null) input.current.webkitdirectory = folder }, [folder])
  return (
    <>
      <button type='button' class={primary ? 'primary' : ''} onClick={() => { input.current?.click() }}>{label}</button>
      <input
        ref={input} type='file' multiple hidden aria-hidden='true' tabIndex={-1} data-pick={folder ? 'folder' : 'files'}
        onChange={({ currentTarget }) => {
          onFiles(Array.from(currentTarget.files ?? []))
          currentTarget.value = ''
        }}
      />
    </>
  )
}

interface Drops {
  readonly onOver: (isOver: boolean) => void
  readonly onTransfer: (transfer: DataTransfer) => void
}

/** Listens to the whole page: what misses the zone must not make the browser open the file and leave the page. */
function useDrops ({ onOver, onTransfer }: Drops): void {
  useEffect(() => {
    const listening = new AbortController()
    const on = <Type extends 'dragenter' | 'dragover' | 'dragleave' | 'drop' | 'paste'>(type: Type, listener: (event: WindowEventMap[Type]) => void): void => {
      window.addEventListener(type, listener, listening)
    }
    on('dragover', (event) => {
      event.preventDefault()
      onOver(true)
    })
    on('dragleave', (event) => { if (event.relatedTarget === null) onOver(false) })
    on('drop', (event) => {
      event.preventDefault()
      onOver(false)
      if (event.dataTransfer !== null) onTransfer(event.dataTransfer)
    })
    // A text that is pasted goes where the cursor is.
    on('paste', ({ clipboardData }) => { if ((clipboardData?.files.length ?? 0) > 0 && clipboardData !== null) onTransfer(clipboardData) })
    return () => { listening.abort() }
  }, [])
}
