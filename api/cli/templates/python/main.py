def handler(event, context):
    print(f"invocation {context.invocation_id}")
    return {"hello": event["name"]}
