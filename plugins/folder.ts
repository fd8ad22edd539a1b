import fp from 'fastify-plugin'
import { lockFolder, type LockedFolder } from '../lib/files/folder-lock.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly folder: LockedFolder
  }
}

/** The folder for the files and the session records, which this process alone uses, or with the instances that share its sessions: taken before them, given up after them. */
export default fp(async (app) => {
  const folder = await lockFolder(app.config.UPLOAD_FOLDER, app.config.SESSION_STORE === 'redis')
  app.decorate('folder', folder)
  app.addHook('onClose', () => folder.release())
}, { name: 'folder', dependencies: ['config'] })
