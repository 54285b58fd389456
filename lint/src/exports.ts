import ts from 'typescript';

interface Export {
  name: string;
  file: string;
  line: number;
  documented: boolean;
}

/** For each module, in the given order, its exports without those that a dependency declares. */
export function exportsOf(modules: readonly string[]): Export[][] {
  const program = ts.createProgram(modules, { module: ts.ModuleKind.Node16, skipLibCheck: true, types: [] });
  const checker = program.getTypeChecker();
  return modules.map((path) => {
    const source = program.getSourceFile(path);
    const module = source && checker.getSymbolAtLocation(source);
    if (!module) throw new Error(`${path} is no module`);
    return checker.getExportsOfModule(module).flatMap((symbol) => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      const declarations = target.declarations ?? [];
      const [first] = declarations.filter(isOurs);
      return first
        ? [{ name: symbol.name, ...placeOf(first), documented: declarations.some(isDocumented) }]
        : [];
    });
  });
}

function isOurs(declaration: ts.Declaration): boolean {
  return !declaration.getSourceFile().fileName.includes('/node_modules/');
}

function isDocumented(declaration: ts.Declaration): boolean {
  return ts.getJSDocCommentsAndTags(declaration).length > 0;
}

function placeOf(declaration: ts.Declaration): { file: string; line: number } {
  const source = declaration.getSourceFile();
  const { line } = source.getLineAndCharacterOfPosition(declaration.getStart());
  return { file: source.fileName, line: line + 1 };
}
