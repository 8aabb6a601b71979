// A file, since the page's policy allows no script inside it. Without a validator nothing is asked of another host.
SwaggerUIBundle({ url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null })
