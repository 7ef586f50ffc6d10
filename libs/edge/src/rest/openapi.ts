import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { problem } from './schema.js';

/** `refsList`: controllers and methods have the names of what they do. */
function operationIdFactory(controller: string, method: string): string {
  const noun = controller.replace(/Controller$/, '');
  return `${noun[0]?.toLowerCase()}${noun.slice(1)}${method[0]?.toUpperCase()}${method.slice(1)}`;
}

/** Serves what the controllers and schemas promise as OpenAPI, at /api/v1/openapi.json. */
export function serveOpenApi(app: NestFastifyApplication, version: string): void {
  const about = new DocumentBuilder()
    .setTitle('Varve')
    .setDescription(
      'The dated history of container-image layers. Names and revisions in paths are one percent-encoded segment each.',
    )
    .setVersion(version)
    .build();
  const document = () => {
    const made = SwaggerModule.createDocument(app, about, { operationIdFactory });
    const schemas = { ...made.components?.schemas, Problem: z.toJSONSchema(problem, { target: 'openapi-3.0' }) };
    return { ...made, components: { ...made.components, schemas } } as typeof made;
  };
  SwaggerModule.setup('api/v1', app, document, { ui: false, raw: ['json'], jsonDocumentUrl: 'api/v1/openapi.json' });
}
