import type { FileEntry, SessionRecord } from '../sessions/session.js'
import { checkType, detectType, type TypePolicy } from './file-types.js'
import { ContainerCheck } from './sealed-files.js'

/** What can be said against a file by its beginning, and when it is whole. */
export interface ContentCheck {
  /**
   * Refuses what cannot become a file, as soon as its first {@link SNIFFED_BYTES} have come.
   * @throws LocalSendError FILE_TYPE_NOT_ALLOWED, CONTAINER_REFUSED
   */
  begin (head: Uint8Array): Promise<void>
  /**
   * The media type of a file.
   * @param head - its first {@link SNIFFED_BYTES}, fewer if it has fewer
   * @param size - bytes of the whole file
   * @throws LocalSendError FILE_TYPE_NOT_ALLOWED, CONTAINER_REFUSED
   */
  end (head: Uint8Array, size: number): Promise<string>
}

/** What this server checks of a file, which depends on whether it can see its content. */
export function contentCheck ({ kind }: SessionRecord, { id, uploadedBy }: Pick<FileEntry, 'id' | 'uploadedBy'>, declaredType: string, policy: TypePolicy): ContentCheck {
  if (kind === 'end-to-end') return new ContainerCheck(id, uploadedBy)
  const end = async (head: Uint8Array): Promise<string> => {
    const type = await detectType(head, declaredType)
    checkType(type, policy)
    return type
  }
  return { end, begin: async (head) => { await end(head) } }
}
