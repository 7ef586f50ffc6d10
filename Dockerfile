# One image for every process; the command says which. Without one: everything in one process, data in /data.
# Tried on a stand-in for the published base image only: see SHORTCOMINGS.md.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev --omit=optional

FROM node:24-bookworm-slim
ENV NODE_ENV=production VARVE_LISTEN=0.0.0.0:7373 VARVE_DATA=/data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
RUN install -d -o node -g node /data
USER node
VOLUME /data
EXPOSE 7373 7374 7375 7376 7377
ENV MALLOC_MMAP_THRESHOLD_=2097152
CMD ["node", "--max-semi-space-size=8", "--enable-source-maps", "dist/apps/standalone/src/main.js"]
